from source import work
