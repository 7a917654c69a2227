"""The caller's own conversations; another person's are not found, for admins too."""

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from ingestion.selectors import scope_for
from ragapp.api.auth import caller_of
from ragapp.api.errors import documented
from ragapp.api.schemas import (
    ConversationDetailOut,
    ConversationOut,
    ConversationsPage,
    Id,
    MessageOut,
    Paging,
    base_url_of,
)
from ragapp.chat.services import conversation_delete, conversation_get, conversations_of, with_sources

router = Router(tags=["conversations"])


@router.get("/conversations", **documented({200: ConversationsPage}, "invalid_request"))
def list_conversations(request: HttpRequest, paging: Query[Paging]) -> ConversationsPage:
    """Your conversations, the most recent first."""
    found = conversations_of(caller_of(request))
    part = found[paging.offset : paging.offset + paging.limit]
    return ConversationsPage(items=[ConversationOut.of(one) for one in part], count=found.count())


@router.get("/conversations/{conversation_id}", **documented({200: ConversationDetailOut}, "conversation_not_found"))
def get_conversation(request: HttpRequest, conversation_id: Id) -> ConversationDetailOut:
    """One of your conversations with its questions and answers."""
    user = caller_of(request)
    conversation = conversation_get(conversation_id, owner=user)
    scope = scope_for(user)
    base_url = base_url_of(request)
    messages = with_sources(conversation.messages.all())
    return ConversationDetailOut(
        **ConversationOut.of(conversation).model_dump(),
        messages=[MessageOut.of(message, scope=scope, base_url=base_url) for message in messages],
    )


@router.delete("/conversations/{conversation_id}", **documented({204: None}, "conversation_not_found"))
def delete_conversation(request: HttpRequest, conversation_id: Id) -> HttpResponse:
    """Delete one of your conversations with all its messages."""
    conversation_delete(conversation_get(conversation_id, owner=caller_of(request)))
    return HttpResponse(status=204)
