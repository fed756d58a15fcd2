/* place.c - places of events. */
#include "ingest/place.h"

#include <string.h>

static enum lb_err
fill(const char **text, const char *found, struct lb_arena *arena)
{
    if (*text == NULL && found[0] != '\0') {
        *text = lb_arena_text(arena, found, strlen(found));
        return *text == NULL ? LB_ENOMEM : LB_OK;
    }
    return LB_OK;
}

enum lb_err place_fill(struct entry *entry,
                       const struct geo *geo,
                       const struct lb_ip *address,
                       struct lb_arena *arena)
{
    const char **country = &entry->text[ENTRY_TEXT_COUNTRY];
    const char **region = &entry->text[ENTRY_TEXT_REGION];
    const char **city = &entry->text[ENTRY_TEXT_CITY];
    struct sockaddr_storage socket_address;
    struct geo_place place;
    enum lb_err rc;

    if (geo == NULL || address->len == 0 ||
        (*country != NULL && *region != NULL && *city != NULL)) {
        return LB_OK;
    }
    lb_ip_to(address, &socket_address);
    rc = geo_find(geo, (const struct sockaddr *)&socket_address, &place);
    if ((rc != LB_OK && rc != LB_EFORMAT) ||
        (*country != NULL && strcmp(*country, place.country) != 0)) {
        return LB_OK;
    }
    rc = fill(country, place.country, arena);
    rc = rc == LB_OK ? fill(region, place.region, arena) : rc;
    return rc == LB_OK ? fill(city, place.city, arena) : rc;
}
