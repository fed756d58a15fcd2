/* ip_set.h - an immutable set of addresses and networks; a question is a binary
 * search.  Any thread may ask. */
#ifndef LINKBELL_BASE_IP_SET_H
#define LINKBELL_BASE_IP_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/ip.h"

#define LB_IP_SET_RANGES 1000000 /* of one set; 34 bytes each, 34 MB in all */

struct lb_ip_set;

/* The set of count texts such as "10.0.0.0/8" or "::1" (lb_ip_parse_range()),
 * freed by lb_ip_set_free().  LB_EINVAL names the text that is none,
 * LB_ELIMIT, LB_ENOMEM. */
LB_MUST_CHECK enum lb_err lb_ip_set_new(const char *const *networks,
                                        size_t count,
                                        struct lb_ip_set **set_out,
                                        struct lb_error *err);

/* The same of a file's text: one network a line; white space around it, empty
 * lines and what follows a '#' count for nothing.  LB_EFORMAT names the line.
 */
LB_MUST_CHECK enum lb_err lb_ip_set_parse(const char *text,
                                          size_t len,
                                          struct lb_ip_set **set_out,
                                          struct lb_error *err);

void lb_ip_set_free(struct lb_ip_set *set); /* NULL is fine */

/* False for a set of NULL and for no address. */
bool lb_ip_set_contains(const struct lb_ip_set *set, const struct lb_ip *ip);

/* Ranges after joining those that overlap. */
size_t lb_ip_set_count(const struct lb_ip_set *set);

#endif
