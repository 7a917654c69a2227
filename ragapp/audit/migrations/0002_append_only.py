from django.db import migrations

from ragapp.audit.append_only import INSTALLED, LIFTED


def install(apps, schema_editor):
    for statement in INSTALLED[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def lift(apps, schema_editor):
    for statement in LIFTED[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [migrations.RunPython(install, lift)]
