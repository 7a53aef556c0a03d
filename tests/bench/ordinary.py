"""Y3's processes: the ordinary way to take transfers in, as FastStream's and SQLAlchemy's own pages show it.

The door publishes one message for each HTTP request and answers 202; the consumer posts one transfer in one
transaction. No signatures, no batches, no tamper evidence: less work than P2 does for a transfer.
"""

import json
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Annotated, Final, Literal
from uuid import UUID

from aiohttp import web
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue
from pydantic import BaseModel, Field
from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hub import loop
from tests.bench.children import say, told

ACCOUNTS: Final = 100_000
PREFETCH: Final = 64
POOL: Final = 16
QUEUE: Final = RabbitQueue("transfers", queue_type=QueueType.QUORUM, durable=True)


class Transfer(BaseModel):
    """What is sent: points from one account to another, once for each id."""

    transfer_id: UUID
    debit: int
    credit: int
    points: Annotated[int, Field(gt=0)]


class Base(DeclarativeBase):
    """The tables."""


class Account(Base):
    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]


class Posted(Base):
    __tablename__ = "posted"

    transfer_id: Mapped[UUID] = mapped_column(primary_key=True)


class Entry(Base):
    __tablename__ = "entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    transfer_id: Mapped[UUID] = mapped_column(ForeignKey("posted.transfer_id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    points: Mapped[int]


@dataclass(frozen=True, slots=True)
class Job:
    """Be this one of the two."""

    role: Literal["door", "consumer"]
    amqp_url: str
    database_url: str
    port: int


async def take_in(job: Job, broker: RabbitBroker, stack: AsyncExitStack) -> None:
    """Serve `POST /transfers`; the answer says that the broker has it."""

    async def transfer(request: web.Request) -> web.Response:
        taken = Transfer.model_validate_json(await request.read())
        await broker.publish(taken, QUEUE, persist=True)
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/transfers", transfer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", job.port).start()


def post_what_comes(job: Job, broker: RabbitBroker, stack: AsyncExitStack) -> None:
    """One message, one transaction: lock the two accounts, change them, write two entries."""
    engine = create_async_engine(job.database_url, pool_size=POOL, max_overflow=0)
    stack.push_async_callback(engine.dispose)
    session_of = async_sessionmaker(engine, expire_on_commit=False)

    @broker.subscriber(QUEUE, channel=Channel(prefetch_count=PREFETCH))
    async def post(transfer: Transfer) -> None:
        both = (transfer.debit, transfer.credit)
        async with session_of.begin() as session:
            if await session.get(Posted, transfer.transfer_id):
                return
            locked = select(Account).where(Account.id.in_(both)).order_by(Account.id).with_for_update()
            accounts = {account.id: account for account in await session.scalars(locked)}
            accounts[transfer.debit].balance -= transfer.points
            accounts[transfer.credit].balance += transfer.points
            session.add(Posted(transfer_id=transfer.transfer_id))
            await session.flush()
            for account, points in zip(both, (-transfer.points, transfer.points), strict=True):
                session.add(Entry(transfer_id=transfer.transfer_id, account_id=account, points=points))


async def work(job: Job) -> None:
    """Be ready, work until told to end, say the processor time it took."""
    broker = RabbitBroker(job.amqp_url, logger=None)
    async with AsyncExitStack() as stack:
        if job.role == "consumer":
            post_what_comes(job, broker, stack)
        await broker.start()
        stack.push_async_callback(broker.stop)
        if job.role == "door":
            await take_in(job, broker, stack)
        say("ready")
        cpu_s = time.process_time()
        await told()
        cpu_s = time.process_time() - cpu_s
    say({"cpu_s": cpu_s})


if __name__ == "__main__":
    loop.run(work(Job(**json.loads(sys.argv[1]))))
