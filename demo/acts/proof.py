"""The proof: everything is added up again, and the chain is followed from its first block."""

from demo.stage import CALL_DEADLINE_S, Stage
from schemas.audit import VerifyLedger
from schemas.values import LANES


async def play(stage: Stage) -> None:
    """All sixteen partitions."""
    reports = [
        await stage.process.bus.call(VerifyLedger(partition=partition), CALL_DEADLINE_S) for partition in range(LANES)
    ]
    faults = [report.fault for report in reports if report.fault is not None]
    stage.check("verify", faults, [])
    stage.report["verify"] = "failed" if faults else "ok"
    stage.say(f"{sum(report.transfers for report in reports):,} transfers add up")
    if stage.carried is not None:
        carried = await stage.carried()
        stage.check("what was said came by the broker", carried["brought"] > carried["from_store"], expected=True)
        stage.report["broker"] = carried
        stage.say(
            f"the broker brought {carried['brought']:,} messages; {carried['from_store']:,} were read from the store"
        )
