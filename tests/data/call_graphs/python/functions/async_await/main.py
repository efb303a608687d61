import asyncio


async def fetch():
    return 1


async def gather():
    return await fetch()


asyncio.run(gather())
