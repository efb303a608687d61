from helper import work as job

job()
