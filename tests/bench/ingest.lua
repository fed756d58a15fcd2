-- ingest.lua - wrk: each request has a body of its own (id, visitor, campaign, user agent).
-- Arguments: token, sites, visitors, file of user agents.
local thread_count = 0
local ids = 0

function setup(thread)
    thread:set("number", thread_count)
    thread_count = thread_count + 1
end

function init(args)
    token = args[1]
    sites = tonumber(args[2] or "20")
    visitors = tonumber(args[3] or "50000")
    headers = { ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json" }
    agents = {}
    for line in io.lines(args[4]) do agents[#agents + 1] = line end
    math.randomseed(os.time() + number)
    start = os.time()
end

function request()
    ids = ids + 1
    local kind = "view"
    if ids % 4 == 0 then kind = "click" end
    if ids % 200 == 0 then kind = "lead" end
    local body = string.format(
        '{"type":"%s","site":"site-%d.bio","id":"b%d-%d-%d","visitor":"v%d","link":"book-call",' ..
        '"url":"https://site.bio/page-%d?utm_source=newsletter&utm_medium=email&utm_campaign=c%d",' ..
        '"referrer":"https://l.instagram.com/?u=x","ip":"%d.%d.%d.7","user_agent":"%s",' ..
        '"props":{"plan":"pro","slot":"%d"}}',
        kind, math.random(sites), start, number, ids, math.random(visitors), math.random(50),
        math.random(30), math.random(223), math.random(255), math.random(255),
        agents[math.random(#agents)], math.random(9))
    return wrk.format("POST", "/v1/events", headers, body)
end

function done(summary, latency, requests)
    io.write(string.format("p50_ms %.3f\np99_ms %.3f\nrate %.0f\nbad %d\n",
        latency:percentile(50) / 1000, latency:percentile(99) / 1000,
        summary.requests / summary.duration * 1e6,
        summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
