/* event_client.c - from address and user agent to what may be kept. */
#include "ingest/event_client.h"

#include <string.h>

#include "ingest/place.h"

/* Device, browser, system and class; answer NULL: nothing is known of the user
 * agent. */
static enum lb_err fill_agent(const struct event_context *context,
                              const struct agent_answer *answer,
                              const struct lb_ip *address,
                              struct lb_arena *arena,
                              struct event *event)
{
    const struct traffic_facts facts = {
        .signs = context->signs,
        .is_ignored = address->len != 0 &&
                      lb_ip_set_contains(event->site->ignored, address),
        .is_datacentre = datacentre_list_has(context->datacentres, address),
        .verdict = answer == NULL ? NULL : &answer->verdict,
    };

    traffic_decide(&facts, &event->entry);
    return answer == NULL ? LB_OK
                          : agent_fill(&answer->agent, &event->entry, arena);
}

/* The salt of whoever can be told from others; LB_ENOMEM. */
static enum lb_err fill_salt(const struct event_context *context,
                             const struct event_client *client,
                             const struct lb_ip *address,
                             struct event *event)
{
    if (context->is_private || (client->visitor == NULL && address->len == 0)) {
        return LB_OK;
    }
    event->salt =
        client_memo_salt(context->memo, context->visitors, event->site,
                         event->entry.ts_at_ms, context->import);
    if (event->salt == NULL) {
        return LB_ENOMEM;
    }
    event->entry.visitor_day = visitor_salt_day(event->salt);
    return LB_OK;
}

static uint64_t hash_visitor(const struct event_client *client,
                             const struct lb_ip *address,
                             const struct event *event)
{
    return client->visitor != NULL
               ? visitor_hash_given(event->salt, event->site->id,
                                    client->visitor)
               : visitor_hash_address(event->salt, event->site->id, address,
                                      client->agent == NULL ? ""
                                                            : client->agent);
}

/* Each looked up for this event alone. */
static enum lb_err fill_anew(const struct event_context *context,
                             const struct event_client *client,
                             const struct lb_ip *address,
                             struct lb_arena *arena,
                             struct event *event)
{
    struct agent_answer answer;
    enum lb_err rc = place_fill(&event->entry, context->geo, address, arena);

    if (client->agent != NULL) {
        answer = agent_cache_find(context->agents, client->agent,
                                  strlen(client->agent));
    }
    rc = rc == LB_OK
             ? fill_agent(context, client->agent == NULL ? NULL : &answer,
                          address, arena, event)
             : rc;
    if (event->salt != NULL) {
        event->visitor_hash = hash_visitor(client, address, event);
    }
    return rc;
}

/* Whether all that is asked for follows from address, user agent and salt. */
static bool is_for_memo(const struct event_context *context,
                        const struct event_client *client,
                        const struct lb_ip *address,
                        const struct entry *entry)
{
    return context->memo != NULL && client->agent != NULL &&
           address->len != 0 && entry->text[ENTRY_TEXT_COUNTRY] == NULL &&
           entry->text[ENTRY_TEXT_REGION] == NULL &&
           entry->text[ENTRY_TEXT_CITY] == NULL;
}

/* Fills facts from what an event like it came to. */
static void keep_facts(const struct event_context *context,
                       const struct event_client *client,
                       const struct event *event,
                       struct client_facts *facts)
{
    const struct entry *entry = &event->entry;

    facts->answer =
        agent_cache_find(context->agents, client->agent, strlen(client->agent));
    facts->country = entry->text[ENTRY_TEXT_COUNTRY];
    facts->region = entry->text[ENTRY_TEXT_REGION];
    facts->city = entry->text[ENTRY_TEXT_CITY];
}

static enum lb_err fill_by_memo(const struct event_context *context,
                                const struct event_client *client,
                                const struct lb_ip *address,
                                struct lb_arena *arena,
                                struct event *event)
{
    const struct client_memo_key key = {
        address, client->agent, client->visitor == NULL ? event->salt : NULL};
    struct entry *entry = &event->entry;
    bool is_known = false;
    struct client_facts *facts =
        client_memo_find(context->memo, &key, &is_known);
    enum lb_err rc = facts == NULL ? LB_ENOMEM : LB_OK;

    if (rc == LB_OK && !is_known) {
        rc = place_fill(entry, context->geo, address,
                        client_memo_arena(context->memo));
        keep_facts(context, client, event, facts);
        facts->visitor_hash =
            key.salt == NULL ? 0 : hash_visitor(client, address, event);
    }
    if (rc != LB_OK) {
        return rc;
    }
    entry->text[ENTRY_TEXT_COUNTRY] = facts->country;
    entry->text[ENTRY_TEXT_REGION] = facts->region;
    entry->text[ENTRY_TEXT_CITY] = facts->city;
    if (event->salt != NULL) {
        event->visitor_hash = key.salt == NULL
                                  ? hash_visitor(client, address, event)
                                  : facts->visitor_hash;
    }
    return fill_agent(context, &facts->answer, address, arena, event);
}

enum lb_err event_client_fill(const struct event_context *context,
                              const struct event_client *client,
                              struct lb_arena *arena,
                              struct event *event)
{
    struct lb_ip address = context->address;
    enum lb_err rc;

    if (client->address != NULL && !lb_ip_parse(client->address, &address)) {
        return LB_EINVAL;
    }
    rc = fill_salt(context, client, &address, event);
    if (rc == LB_OK) {
        rc = is_for_memo(context, client, &address, &event->entry)
                 ? fill_by_memo(context, client, &address, arena, event)
                 : fill_anew(context, client, &address, arena, event);
    }
    if (context->is_private) {
        event->entry.text[ENTRY_TEXT_REGION] = NULL;
        event->entry.text[ENTRY_TEXT_CITY] = NULL;
        event->entry.text[ENTRY_TEXT_CLICK_ID] = NULL;
    }
    return rc;
}
