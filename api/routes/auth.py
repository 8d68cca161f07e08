"""Who the caller is."""

from fastapi import APIRouter

from api.auth.caller import FreshContext
from api.auth.context import AuthContext
from api.models.envelope import Data

router = APIRouter(prefix="/v1/auth", tags=["auth"])


@router.post("/context", summary="Show who this credential belongs to")
async def get_auth_context(context: FreshContext) -> Data[AuthContext]:
    """Asks the database each time, so a revoked credential is refused at once."""
    return Data(data=context)
