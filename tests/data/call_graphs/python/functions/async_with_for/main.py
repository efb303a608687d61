import asyncio


class Stream:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *details):
        return None

    def __aiter__(self):
        return self

    async def __anext__(self):
        raise StopAsyncIteration


async def main():
    async with Stream() as stream:
        async for item in stream:
            print(item)


asyncio.run(main())
