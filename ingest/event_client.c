/* event_client.c - from address and user agent to what may be kept. */
#include "ingest/event_client.h"

#include <string.h>

#include "ingest/place.h"

/* Device, browser, system and class. */
static enum lb_err fill_agent(const struct event_context *context,
                              const char *agent,
                              const struct lb_ip *address,
                              struct lb_arena *arena,
                              struct event *event)
{
    struct traffic_facts facts = {
        .signs = context->signs,
        .is_ignored = address->len != 0 &&
                      lb_ip_set_contains(event->site->ignored, address),
        .is_datacentre = datacentre_list_has(context->datacentres, address),
    };
    struct agent_answer answer;

    if (agent == NULL) {
        traffic_decide(&facts, &event->entry);
        return LB_OK;
    }
    answer = agent_cache_find(context->agents, agent, strlen(agent));
    facts.verdict = &answer.verdict;
    traffic_decide(&facts, &event->entry);
    return agent_fill(&answer.agent, &event->entry, arena);
}

static enum lb_err fill_visitor(const struct event_context *context,
                                const struct event_client *client,
                                const struct lb_ip *address,
                                struct event *event)
{
    if (client->visitor == NULL && address->len == 0) {
        return LB_OK;
    }
    event->salt = visitor_salt_of(context->visitors, event->site,
                                  event->entry.ts_at_ms, context->import);
    if (event->salt == NULL) {
        return LB_ENOMEM;
    }
    event->visitor_hash =
        client->visitor != NULL
            ? visitor_hash_given(event->salt, event->site->id, client->visitor)
            : visitor_hash_address(event->salt, event->site->id, address,
                                   client->agent == NULL ? "" : client->agent);
    event->entry.visitor_day = visitor_salt_day(event->salt);
    return LB_OK;
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
    rc = place_fill(&event->entry, context->geo, &address, arena);
    rc = rc == LB_OK
             ? fill_agent(context, client->agent, &address, arena, event)
             : rc;
    if (context->is_private) {
        event->entry.text[ENTRY_TEXT_REGION] = NULL;
        event->entry.text[ENTRY_TEXT_CITY] = NULL;
        event->entry.text[ENTRY_TEXT_CLICK_ID] = NULL;
        return rc;
    }
    return rc == LB_OK ? fill_visitor(context, client, &address, event) : rc;
}
