import asyncio


async def value(number):
    return number


async def main():
    return [await value(number) for number in range(2)]


asyncio.run(main())
