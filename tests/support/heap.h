/* heap.h - how much memory is allocated now, in a test. */
#ifndef LINKBELL_TESTS_SUPPORT_HEAP_H
#define LINKBELL_TESTS_SUPPORT_HEAP_H

#include <stddef.h>

/* Bytes handed out by malloc() and not freed, of all threads, with what the
 * allocator itself needs for them. */
size_t heap_bytes(void);

#endif
