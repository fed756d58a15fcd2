/* process.h - what the process asks of the system at its start. */
#ifndef LINKBELL_BASE_PROCESS_H
#define LINKBELL_BASE_PROCESS_H

#include <stdint.h>

/* Files for this user alone, no core dumps, no signals for failed writes. */
void lb_process_prepare(void);

/* Raises the limit of open files to its hard limit and returns how many
 * connections fit under it: wanted, or fewer (8 at least). */
int64_t lb_process_raise_files(int64_t wanted);

/* Says on standard output where the service listens, and in the log; warns
 * where others than this machine reach it. */
void lb_process_tell_address(const char *host, int port);

#endif
