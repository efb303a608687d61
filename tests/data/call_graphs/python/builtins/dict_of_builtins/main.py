def shout(text):
    return text.upper()


tools = {"upper": shout, "lower": str.lower}
tools["upper"]("x")
