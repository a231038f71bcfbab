"""What mapping knows at load of a response: fields and lists by name, whether it is a telegram or JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relay.policy.mediation.telegram.codec import Codec, Kind
from relay.policy.mediation.telegram.plan import Part, find_groups, iter_fields


@dataclass(frozen=True, slots=True)
class RecordField:
    """What the values of a field can be; `choices` are all of them if they are known.

    `longer` is "check" when nothing bounds the length of values: each is compared with the standard. `codec` is that of
    a field of a telegram.
    """

    kind: Kind
    max_bytes: int
    digits: int = 0
    scale: int = 0
    choices: frozenset[str] | None = None
    longer: str = ""
    codec: Codec | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """The fields and lists of a response or of its rows; `maximum` is that of its rows, 0 if it is not known."""

    fields: Mapping[str, RecordField]
    groups: Mapping[str, "Record"]
    maximum: int = 0


def _describe_field(codec: Codec) -> RecordField:
    return RecordField(codec.kind, codec.max_bytes, codec.digits, codec.scale, codec=codec)


def describe_record(parts: Sequence[Part], maximum: int = 0) -> Record:
    """Returns the record of a telegram, or of the rows of a group."""
    fields = {plan.name: _describe_field(plan.codec) for plan in iter_fields(parts)}
    groups = {name: describe_record(group.parts, group.maximum) for name, group in find_groups(parts).items()}
    return Record(fields, groups, maximum)
