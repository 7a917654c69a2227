from django.conf import settings
from django.db import migrations, models


def interrupt(apps, schema_editor):
    """Whoever made the open runs is gone with the upgrade, and several of one set would break the constraint."""
    runs = apps.get_model("evaluation", "EvaluationRun").objects
    runs.filter(state__in=("queued", "running")).update(state="failed", error_code="evaluation_interrupted")


class Migration(migrations.Migration):
    dependencies = [
        ("evaluation", "0002_cases_and_states"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(interrupt, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="evaluationrun",
            name="kind",
            field=models.CharField(
                choices=[("retrieval", "Retrieval"), ("answers", "Answers"), ("refusals", "Refusals")], max_length=20
            ),
        ),
        migrations.AddConstraint(
            model_name="evaluationrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("queued", "running"))),
                fields=("question_set", "requested_by"),
                name="one_open_run_per_set_and_person",
            ),
        ),
    ]
