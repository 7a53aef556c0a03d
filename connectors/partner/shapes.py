"""What is asked and answered at this door, as it stands in the API's document."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from connectors.partner.items import Fault, OccurredAt
from connectors.partner.pipeline import FIELD_OF, ItemOutcome
from connectors.partner.store import FileState, ResultRow, StoredFile
from hub.web.pages import Page
from hub.web.validation import pointer_to
from schemas.points import PostingAnswer, PostingStatus
from schemas.problems import REFUSALS, FieldError, RefusalCode
from schemas.values import CommandId, LgCode, LinkId, Points, Pool

BATCH_LIMIT_ITEMS: Final = 1_000


class Body(BaseModel):
    """Frozen, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Transfer(Body):
    """One transfer: points of a linked citizen, to `reserve`, `scheme:<lg_code>` or `event:<event id>`."""

    transfer_id: CommandId
    link_id: LinkId
    points: Points
    to: Pool
    occurred_at: OccurredAt


class TransferBatch(Body):
    """1 to 1,000 transfers. A fault in one of them is told in its own result and hurts no other."""

    transfers: Annotated[list[Transfer], Field(min_length=1, max_length=BATCH_LIMIT_ITEMS)]


class BatchEnvelope(Body):
    """A batch before its items are looked at: each of those answers for itself."""

    transfers: Annotated[list[Any], Field(min_length=1, max_length=BATCH_LIMIT_ITEMS)]


def _is_absent(value: object) -> bool:
    return value is None


class TransferOutcome(Body):
    """How a transfer ended, for ever.

    `points` came in, 0 where refused. `code` and `errors` are there where it was refused, and say why;
    `posted_on` is left out where nothing could be kept.
    """

    transfer_id: str | None
    status: PostingStatus
    code: RefusalCode | None = Field(None, exclude_if=_is_absent)
    errors: list[FieldError] | None = Field(None, exclude_if=_is_absent)
    points: int
    posted_on: date | None = Field(None, exclude_if=_is_absent)


class TransferResult(TransferOutcome):
    """One item's result. `replayed`: this very transfer had been decided before, and this is its outcome."""

    replayed: bool


class TransferResults(Body):
    """One result an item, in the order of the items."""

    results: list[TransferResult]


class FileTaken(Body):
    """A file that was taken durably; the same answer again for the same file."""

    file_id: UUID
    rows: int


class FileOutcomes(Body):
    """Rows by outcome, and the points posted. `replayed` rows repeat a transfer that had been posted."""

    posted: int
    points: int
    replayed: int
    refused: dict[str, int]


class FileProgress(Body):
    """How far a file is: `done` of its `rows` have their outcome; `progress` is from 0 to 1."""

    file_id: UUID
    state: FileState
    rows: int
    done: int
    progress: float
    outcomes: FileOutcomes
    taken_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class FileResult(TransferResult):
    """One row's result; `line` is its line in the file, from 1, with any header counted."""

    line: int


class FileResults(Page[FileResult]):
    """One page of a file's results, by line. While the file is worked on, later pages may still come."""


class SettlementLine(Body):
    """What came in by one way: `lg_code` is null for points whose municipality is not chosen yet.

    `reverses` is there where wrong postings were corrected: the kind that is taken back.
    """

    kind: str
    reverses: str | None = Field(None, exclude_if=_is_absent)
    lg_code: LgCode | None
    pool: Pool
    transfers: int
    points: int


class Settlement(Body):
    """応援ポイント移行集計 (画面80): first to last day inclusive, Asia/Tokyo.

    `points` are those of transfers and coupons, less what was corrected of them; `transfers` counts both.
    """

    first: date
    last: date
    transfers: int
    points: int
    lines: list[SettlementLine]


class SettlementDetail(Body):
    """One transaction, or the part of it in one pool; `points` count −1 times where `direction` is −1.

    `transaction_id` is the hub's own name for it; `transfer_id` is null where it was not your transfer. The other
    fields are those of the summary's lines.
    """

    day: date
    transaction_id: str
    transfer_id: str | None
    kind: str
    reverses: str | None = Field(None, exclude_if=_is_absent)
    direction: int
    lg_code: LgCode | None
    pool: Pool
    points: int


class SettlementDetails(Page[SettlementDetail]):
    """One page, by day. It may be short, or even empty, and yet have a `next`."""


def results_text(outcomes: Sequence[ItemOutcome]) -> bytes:
    """`TransferResults` as JSON, of the outcomes of a batch in order."""
    return to_json({"results": [_result(one, place) for place, one in enumerate(outcomes)]})


def _result(outcome: ItemOutcome, place: int) -> dict[str, object]:
    """What `TransferResult` would write of the item at `place`."""
    faults = outcome.faults
    if not faults and outcome.posted_on is not None:
        # Nearly all are such: without an object of the model for each, the answer takes less than half the time.
        return {
            "transfer_id": outcome.transfer_id,
            "status": outcome.status.value,
            "points": outcome.points,
            "posted_on": outcome.posted_on,
            "replayed": outcome.replayed,
        }
    result = TransferResult(
        transfer_id=outcome.transfer_id,
        status=outcome.status,
        code=faults[0].code if faults else None,
        errors=_errors(faults, "transfers", place) if faults else None,
        points=outcome.points,
        posted_on=outcome.posted_on,
        replayed=outcome.replayed,
    )
    return result.model_dump(mode="json")


def outcome_of(transfer_id: str, answer: PostingAnswer) -> TransferOutcome:
    """What the ledger keeps of a transfer."""
    code = None if answer.code is None else RefusalCode(answer.code)
    return TransferOutcome(
        transfer_id=transfer_id,
        status=answer.status,
        code=code,
        errors=_errors_of(code),
        points=answer.points,
        posted_on=answer.posted_on,
    )


def file_result_of(row: ResultRow) -> FileResult:
    """The result of one line."""
    code = None if row.code is None else RefusalCode(row.code)
    return FileResult(
        line=row.line,
        transfer_id=row.transfer_id,
        status=PostingStatus.posted if code is None else PostingStatus.refused,
        code=code,
        errors=_errors_of(code),
        points=row.points,
        posted_on=row.posted_on,
        replayed=row.replayed,
    )


def progress_of(file: StoredFile) -> FileProgress:
    """How far a file is."""
    counts = file.counts
    return FileProgress(
        file_id=file.file_id,
        state=file.state,
        rows=file.rows,
        done=file.done,
        progress=round(file.done / file.rows, 4),
        outcomes=FileOutcomes(
            posted=counts.posted, points=counts.points, replayed=counts.replayed, refused=counts.refused
        ),
        taken_at=file.taken_at,
        started_at=file.started_at,
        finished_at=file.finished_at,
    )


def _errors_of(code: RefusalCode | None) -> list[FieldError] | None:
    return None if code is None else _errors([Fault(FIELD_OF.get(code, ""), code)])


def _errors(faults: Sequence[Fault], *place: str | int) -> list[FieldError]:
    return [
        FieldError(
            pointer=pointer_to(*place, fault.field) if fault.field else pointer_to(*place),
            code=fault.code,
            detail=REFUSALS[fault.code].detail,
            detail_ja=REFUSALS[fault.code].detail_ja,
        )
        for fault in faults
    ]
