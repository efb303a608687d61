def provide():
    return deliver


def deliver():
    pass


parcel = provide()
parcel()
