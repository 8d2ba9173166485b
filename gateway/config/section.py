"""What all sections of the configuration have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Settings that stand together under one key."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
