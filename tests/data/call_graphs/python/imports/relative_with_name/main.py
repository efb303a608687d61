from pack.user import use

use()
