-- The contract's guard: every call is checked on its way in and on its way out.

local contract = require("contract")
local handles = require("handles")
local meter = require("meter")
local violations = require("violations")

local calls = {}

local BIG = 1e300

local HANDLES = { item = true, take = true, track = true, source = true, accessor = true, envelope = true,
  array = true }

local plain = {
  any = function(value) return value ~= nil end,
  boolean = function(value) return type(value) == "boolean" end,
  string = function(value) return type(value) == "string" end,
  ["function"] = function(value) return type(value) == "function" end,
  number = function(value) return type(value) == "number" and value > -BIG and value < BIG end,
  integer = function(value)
    local whole = type(value) == "number" and math.tointeger(value)
    return whole and whole >= -2147483648 and whole <= 2147483647
  end,
}

local front_project -- function that returns the project whose tab is in front

--- Tell the guard what 0 means.
function calls.set_front(finder) front_project = finder end

local function argument(name, place, expected, value)
  if expected.optional and value == nil then return nil end
  local where = ("%s, argument %d"):format(name, place)
  if expected.name == "project" then
    if value == 0 then return front_project() end
    return handles.object(value, "project", where)
  end
  if HANDLES[expected.name] then return handles.object(value, expected.name, where) end
  if not plain[expected.name](value) then
    violations.raise("%s: %s where a %s was expected", where, tostring(value), expected.name)
  end
  if expected.name == "integer" then return math.tointeger(value) end
  return value
end

local function checked_result(name, place, expected, value)
  if value == nil then
    assert(expected == nil or expected.optional, name .. " returned nil against the contract")
    return nil
  end
  assert(expected, name .. " returned more than the contract says")
  if expected.name == "project" or HANDLES[expected.name] then
    return handles.is_handle(value) and value or handles.of(expected.name, value)
  end
  assert(plain[expected.name](value), ("%s returned %s as number %d"):format(name, tostring(value), place))
  if expected.name == "number" then return value + 0.0 end
  return value
end

--- A function behind the contract's guard.
-- @param implementation gets objects where scripts give handles, and returns objects where scripts get handles
function calls.guarded(name, signature, implementation)
  local expected = contract.parsed(signature)
  local arguments, returns, least, most = expected.arguments, expected.returns, expected.least, expected.most
  local unpack, select = table.unpack, select
  local function call(...)
    local count = select("#", ...)
    if count < least or count > most then
      violations.raise("%s takes %d to %d arguments, not %d", name, least, most, count)
    end
    local given = { ... }
    for i = 1, count do given[i] = argument(name, i, arguments[i], given[i]) end
    local results = { implementation(unpack(given, 1, count)) }
    for i = 1, math.max(#returns, #results) do results[i] = checked_result(name, i, returns[i], results[i]) end
    return unpack(results, 1, #returns)
  end
  local function finished(well, ...)
    meter.leave()
    if not well then error((...), 0) end
    return ...
  end
  return function(...)
    meter.enter()
    return finished(pcall(call, ...))
  end
end

--- A table of guarded functions that has nothing else, and cannot be written to.
-- @param index what else it has: function of a name that returns a value, or nil
-- @param set function of a name and a value that sets a variable, or nil where there are none
function calls.library(name, signatures, implementations, index, set)
  local functions = {}
  for each, signature in pairs(signatures) do
    local implementation = assert(implementations[each], "the contract has " .. each .. ", the stand-in has not")
    functions[each] = calls.guarded(name .. "." .. each, signature, implementation)
  end
  return setmetatable({}, {
    __metatable = false,
    __index = function(_, key)
      if functions[key] then return functions[key] end
      local value = index and index(key)
      if value ~= nil then return value end
      violations.raise("there is no %s.%s in the contract", name, tostring(key))
    end,
    __newindex = function(_, key, value)
      if not (set and set(key, value)) then violations.raise("%s.%s cannot be set", name, tostring(key)) end
    end,
    __pairs = function() violations.raise("%s cannot be listed", name) end,
  })
end

return calls
