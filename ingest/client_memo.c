/* client_memo.c - one place a hash of the address, the last client first. */
#include "ingest/client_memo.h"

#include <string.h>

#include "base/zone.h"

#define PLACES 512 /* a power of two */
#define QUARTER_MS INT64_C(900000)

struct place {
    struct lb_ip address;
    const char *agent; /* NULL: free */
    const struct visitor_salt *salt;
    struct client_facts facts;
};

struct client_memo {
    struct lb_arena *arena; /* borrowed */
    /* The salt asked for last, and the time in which it is the site's. */
    struct visitor_salt *salt; /* NULL: none is known */
    const struct catalog_site *site;
    int64_t from_ms;
    struct place places[PLACES];
};

struct client_memo *client_memo_new(struct lb_arena *arena)
{
    struct client_memo *memo = lb_arena_calloc(arena, sizeof(*memo));

    if (memo != NULL) {
        memo->arena = arena;
    }
    return memo;
}

struct lb_arena *client_memo_arena(const struct client_memo *memo)
{
    return memo->arena;
}

/* Whether one local day holds all of a quarter of an hour. */
static bool is_one_day(const struct catalog_site *site, int64_t from_ms)
{
    return lb_zone_local_day(site->zone, from_ms) ==
           lb_zone_local_day(site->zone, from_ms + QUARTER_MS - 1);
}

struct visitor_salt *client_memo_salt(struct client_memo *memo,
                                      struct visitors *visitors,
                                      const struct catalog_site *site,
                                      int64_t ts_at_ms,
                                      const char *import)
{
    struct visitor_salt *salt;

    if (memo == NULL) {
        return visitor_salt_of(visitors, site, ts_at_ms, import);
    }
    if (memo->salt != NULL && memo->site == site && ts_at_ms >= memo->from_ms &&
        ts_at_ms < memo->from_ms + QUARTER_MS) {
        return memo->salt;
    }
    salt = visitor_salt_of(visitors, site, ts_at_ms, import);
    memo->from_ms = ts_at_ms - ts_at_ms % QUARTER_MS;
    memo->site = site;
    memo->salt = is_one_day(site, memo->from_ms) ? salt : NULL;
    return salt;
}

/* Multiplicative hashing (Knuth, TAOCP 3, 6.4) of the address's end, in which
 * clients differ. */
static size_t place_of(const struct lb_ip *address)
{
    uint32_t number = 0;

    memcpy(&number, address->bytes + (address->len == 16 ? 4 : 0),
           sizeof(number));
    return (size_t)(number * 2654435769u >> 16) & (PLACES - 1);
}

static bool is_same(const struct place *place,
                    const struct client_memo_key *key)
{
    return place->agent != NULL && place->salt == key->salt &&
           place->address.len == key->address->len &&
           memcmp(place->address.bytes, key->address->bytes,
                  key->address->len) == 0 &&
           strcmp(place->agent, key->agent) == 0;
}

struct client_facts *client_memo_find(struct client_memo *memo,
                                      const struct client_memo_key *key,
                                      bool *is_known_out)
{
    struct place *place = &memo->places[place_of(key->address)];

    *is_known_out = is_same(place, key);
    if (*is_known_out) {
        return &place->facts;
    }
    memset(place, 0, sizeof(*place));
    place->agent = lb_arena_text(memo->arena, key->agent, strlen(key->agent));
    place->address = *key->address;
    place->salt = key->salt;
    return place->agent == NULL ? NULL : &place->facts;
}
