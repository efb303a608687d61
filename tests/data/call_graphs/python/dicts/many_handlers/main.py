def handle_0():
    pass


def handle_1():
    pass


def handle_2():
    pass


def handle_3():
    pass


def handle_4():
    pass


def handle_5():
    pass


def handle_6():
    pass


def handle_7():
    pass


def handle_8():
    pass


def handle_9():
    pass


def handle_10():
    pass


def handle_11():
    pass


def handle_12():
    pass


def handle_13():
    pass


def handle_14():
    pass


def handle_15():
    pass


def handle_16():
    pass


def handle_17():
    pass


def handle_18():
    pass


def handle_19():
    pass


def handle_20():
    pass


def handle_21():
    pass


def handle_22():
    pass


def handle_23():
    pass


def handle_24():
    pass


def handle_25():
    pass


def handle_26():
    pass


def handle_27():
    pass


def handle_28():
    pass


def handle_29():
    pass


HANDLERS = {
    "h0": handle_0,
    "h1": handle_1,
    "h2": handle_2,
    "h3": handle_3,
    "h4": handle_4,
    "h5": handle_5,
    "h6": handle_6,
    "h7": handle_7,
    "h8": handle_8,
    "h9": handle_9,
    "h10": handle_10,
    "h11": handle_11,
    "h12": handle_12,
    "h13": handle_13,
    "h14": handle_14,
    "h15": handle_15,
    "h16": handle_16,
    "h17": handle_17,
    "h18": handle_18,
    "h19": handle_19,
    "h20": handle_20,
    "h21": handle_21,
    "h22": handle_22,
    "h23": handle_23,
    "h24": handle_24,
    "h25": handle_25,
    "h26": handle_26,
    "h27": handle_27,
    "h28": handle_28,
    "h29": handle_29,
}


def dispatch(names):
    for name in names:
        HANDLERS[name]()


dispatch(sorted(HANDLERS))
