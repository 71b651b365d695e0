-- wrk: each request creates a deployment in another environment; prints how many were not answered 202.
local lanes = {}

function setup(thread)
    thread:set("lane", #lanes)
    table.insert(lanes, thread)
end

function init(args)
    first, threads, n, bad = tonumber(args[1]), tonumber(args[2]), 0, 0
end

function request()
    local environment = "e" .. (first + n * threads + lane)
    n = n + 1
    return wrk.format("POST", nil, nil, '{"app": "inopnc", "environment": "' .. environment .. '", "version": "v1.0.1"}')
end

function response(status)
    if status ~= 202 then bad = bad + 1 end
end

function done(summary)
    local bad = 0
    for _, thread in ipairs(lanes) do bad = bad + thread:get("bad") end
    print(string.format('{"answers": %d, "bad": %d, "us": %d}', summary.requests, bad, summary.duration))
end
