"""Who the caller is."""

from fastapi import APIRouter

from api.auth.context import FreshContext
from api.models.auth import AuthContextResult
from api.models.envelope import Data

router = APIRouter(prefix="/v1/auth", tags=["auth"])


@router.post("/context", summary="Who am I, by this credential")
async def get_auth_context(context: FreshContext) -> Data[AuthContextResult]:
    """Asks the database each time, so a revoked credential is refused at once."""
    return Data(data=AuthContextResult.model_validate(context, from_attributes=True))
