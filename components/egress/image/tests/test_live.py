import asyncio
import time

from egress.proxy.live import Entry
from egress.proxy.live import Live


def test_the_clock_ends_what_expires():
    async def run():
        live, ended = Live(), []
        due = time.time() + 0.15
        live.add(Entry(lambda now: due if now < due else False, lambda: ended.append("timed")))
        live.add(Entry(lambda now: None, lambda: ended.append("endless")))
        await asyncio.sleep(0.05)
        assert ended == []
        await asyncio.sleep(0.25)
        assert ended == ["timed"] and len(live) == 1

    asyncio.run(run())


def test_a_change_of_rules_ends_what_they_no_longer_allow():
    async def run():
        live, ended, allowed = Live(), [], {"a", "b"}
        for name in "ab":
            live.add(Entry(lambda now, name=name: None if name in allowed else False, lambda name=name: ended.append(name)))
        live.check()
        assert ended == []
        allowed.discard("a")
        live.check()
        assert ended == ["a"] and len(live) == 1

    asyncio.run(run())


def test_what_is_over_when_it_begins_ends_at_once():
    async def run():
        live, ended = Live(), []
        live.add(Entry(lambda now: False, lambda: ended.append(1)))
        await asyncio.sleep(0.05)
        assert ended == [1]

    asyncio.run(run())
