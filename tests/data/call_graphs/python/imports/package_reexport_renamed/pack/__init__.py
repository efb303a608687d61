from pack.inner import work as job
