def main():
    prepare()


def prepare():
    pass


if __name__ == "__main__":
    main()
