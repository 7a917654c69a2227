"""The browser's URLs."""

from django.urls import path

from ragapp.web import answers, appearance, chat, collections, documents, keys, people, sign_in, sources, status

app_name = "web"

urlpatterns = [
    path("", chat.new, name="chat"),
    path("chat/questions", chat.ask, name="ask"),
    path("chat/<uuid:conversation_id>", chat.conversation, name="conversation"),
    path("chat/<uuid:conversation_id>/rename", chat.rename, name="conversation_rename"),
    path("chat/<uuid:conversation_id>/delete", chat.delete, name="conversation_delete"),
    path("chat/answers/<uuid:answer_id>/stream", answers.stream, name="answer_stream"),
    path("chat/answers/<uuid:answer_id>/stop", answers.stop, name="answer_stop"),
    path("sources/<uuid:chunk_id>", sources.passage, name="source"),
    path("documents", documents.index, name="documents"),
    path("documents/rows", documents.rows, name="document_rows"),
    path("documents/upload", documents.upload, name="upload"),
    path("documents/<uuid:document_id>/file", documents.file, name="document_file"),
    path("documents/<uuid:document_id>/retry", documents.retry, name="document_retry"),
    path("documents/<uuid:document_id>/delete", documents.delete, name="document_delete"),
    path("collections", collections.index, name="collections"),
    path("collections/<uuid:collection_id>", collections.change, name="collection_change"),
    path("collections/<uuid:collection_id>/delete", collections.delete, name="collection_delete"),
    path("collections/new", collections.new, name="collection_create"),
    path("keys", keys.index, name="keys"),
    path("keys/<uuid:key_id>/revoke", keys.revoke, name="key_revoke"),
    path("people", people.index, name="people"),
    path("people/<uuid:user_id>", people.change, name="person_change"),
    path("people/<uuid:user_id>/password", people.reset, name="person_password"),
    path("password", people.password, name="password"),
    path("status", status.model_banner, name="status"),
    path("appearance", appearance.choose, name="appearance"),
    path("sign-in", sign_in.SignIn.as_view(), name="sign_in"),
    path("sign-out", sign_in.sign_out, name="sign_out"),
]
