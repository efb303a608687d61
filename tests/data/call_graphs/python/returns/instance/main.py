class Connection:
    def close(self):
        pass


class Client:
    def open(self):
        return Connection()


client = Client()
connection = client.open()
connection.close()
