class Refused(Exception):
    def reason(self):
        return "no"


def ask():
    raise Refused()


try:
    ask()
except Refused as refusal:
    refusal.reason()
