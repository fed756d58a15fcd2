-- seal_free_pages: no parameters; free pages, all pages; seal.c, disk_watch.c
SELECT freelist_count, page_count FROM pragma_freelist_count, pragma_page_count
