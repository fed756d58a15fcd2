/* country_name.h - a country's English name.  Pure. */
#ifndef LINKBELL_AGGREGATE_COUNTRY_NAME_H
#define LINKBELL_AGGREGATE_COUNTRY_NAME_H

/* The English short name of an ISO 3166-1 alpha-2 code (XK is Kosovo); the code
 * itself when there is none.  Static, or code. */
const char *country_name(const char *code);

#endif
