"""The program around the queue and the extractor: settings, database, HTTP, pages, worker, command line."""
