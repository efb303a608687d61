class Session:
    def close(self):
        pass


class Client:
    def open(self):
        return Session()


client = Client()
session = client.open()
session.close()
