/* wal_gate.h - keeps readers that overlap from keeping the write-ahead log for
 * ever: past a size the writer closes the gate, those that read end, and the
 * log is truncated before others begin.  Any thread. */
#ifndef LINKBELL_SQL_WAL_GATE_H
#define LINKBELL_SQL_WAL_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct wal_gate;

struct wal_gate *wal_gate_new(void);       /* NULL: out of memory */
void wal_gate_free(struct wal_gate *gate); /* NULL is fine */

/* The writer's: closed for at most_ms at a time; open ends that, and the gate
 * is not closed again for as long as it was closed. */
void wal_gate_close(struct wal_gate *gate, int64_t most_ms);
void wal_gate_open(struct wal_gate *gate);

/* A reader's, before its transaction: waits while the gate is closed. */
void wal_gate_pass(struct wal_gate *gate);

#endif
