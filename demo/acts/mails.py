"""Mails arrive: one for every notice, to those who chose them, each once."""

from demo.stage import Stage

GRANTED = "ポイントが付与されました"


async def play(stage: Stage) -> None:
    """Wait until nothing is due, then count in the local mailbox."""
    await stage.drained()
    stats = await stage.mailbox.stats()
    stage.check("no mail twice", stats["duplicates"], 0)
    by_subject = {str(subject): int(count) for subject, count in stats["by_subject"].items()}
    stage.check("a mail for every credit to those who chose it", by_subject.get(GRANTED), stage.expected.granted_mails)
    stage.report["mails"] = stats["mails"]
    stage.report["mails_by_subject"] = by_subject
    stage.say(f"{stats['mails']:,} mails in the local mailbox ({stage.mailbox.url})")
