-- A batch endpoint on nginx: sub-requests by `ngx.location.capture_multi`, bodies put into the answer as they came.
-- It takes the gateway's batches as far as the points of the benchmark need them, and nothing is checked: a reference is
-- ${result=NAME:$.field.field} in a path, forEach goes over $.field[*] and fills ${item:$.field}.
-- Operations that can be sent are sent together, and the next ones when all of these have ended.
local cjson = require "cjson"

local REFERENCE = "^(.-)%${result=(%w+):%$%.([%w.]+)}(.*)$"
local ITEM = "^(.-)%${item:%$%.([%w.]+)}(.*)$"
local SOURCE = "^%${result=(%w+):%$%.([%w.]+)%[%*%]}$"

local function find(value, path)
  for field in path:gmatch("[^.]+") do value = value[field] end
  return value
end

-- The paths to send for an operation, or nil while what it refers to is not there.
local function fill(operation, entries)
  if operation.forEach then
    local name, path = operation.forEach:match(SOURCE)
    if not entries[name] then return nil end
    local before, field, after = operation.path:match(ITEM)
    local paths = {}
    for index, item in ipairs(find(cjson.decode(entries[name][1].body), path)) do
      paths[index] = before .. find(item, field) .. after
    end
    return paths
  end
  local before, name, path, after = operation.path:match(REFERENCE)
  if not name then return { operation.path } end
  if not entries[name] then return nil end
  return { before .. find(cjson.decode(entries[name][1].body), path) .. after }
end

-- Sends all that can be sent now. Returns the operations that are left.
local function send(operations, entries)
  local requests, owners, left = {}, {}, {}
  for _, operation in ipairs(operations) do
    local paths = fill(operation, entries)
    if paths then
      for _, path in ipairs(paths) do
        requests[#requests + 1] = { path }
        owners[#owners + 1] = operation.name
      end
    else
      left[#left + 1] = operation
    end
  end
  for index, response in ipairs({ ngx.location.capture_multi(requests) }) do
    local name = owners[index]
    entries[name] = entries[name] or {}
    table.insert(entries[name], response)
  end
  return left
end

local function write(operations, entries)
  local text = { '{"responses":[' }
  for index, operation in ipairs(operations) do
    if index > 1 then text[#text + 1] = "," end
    local nested = operation.forEach
    if nested then text[#text + 1] = '{"name":"' .. operation.name .. '","status":200,"responses":[' end
    for number, entry in ipairs(entries[operation.name]) do
      if number > 1 then text[#text + 1] = "," end
      text[#text + 1] = '{"name":"' .. operation.name .. '","status":' .. entry.status .. ',"body":'
      text[#text + 1] = entry.body
      text[#text + 1] = ',"duration":' .. (tonumber(entry.header["X-Duration"]) or 0) * 1000 .. "}"
    end
    if nested then text[#text + 1] = "]}" end
  end
  text[#text + 1] = "]}"
  return table.concat(text)
end

local function answer()
  ngx.req.read_body()
  local operations = cjson.decode(ngx.req.get_body_data()).requests
  local entries, left = {}, operations
  while #left > 0 do left = send(left, entries) end
  local text = write(operations, entries)
  ngx.header.content_length = #text
  ngx.print(text)
end

return { answer = answer }
