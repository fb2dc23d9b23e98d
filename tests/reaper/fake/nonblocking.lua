-- LuaSocket as a script gets it: what would wait is refused.

local socket = require("socket.core")
local violations = require("violations")

local nonblocking = {}

local LONGEST_S = 0.01
local WAITING = { connect = true, receive = true, send = true, accept = true }

local function guarded(object)
  local waits = true
  return setmetatable({}, {
    __metatable = false,
    __index = function(_, name)
      local method = object[name]
      if type(method) ~= "function" then return method end
      return function(_, ...)
        if name == "settimeout" then
          local seconds = ...
          waits = not seconds or seconds < 0 or seconds > LONGEST_S
        elseif WAITING[name] and waits then
          violations.raise("a socket's %s would wait", name)
        end
        return method(object, ...)
      end
    end,
  })
end

local function maker(make)
  return function(...)
    local object, problem = make(...)
    return object and guarded(object), problem
  end
end

nonblocking.socket = setmetatable({}, { __index = function(_, name)
  if name == "sleep" or name == "select" or name == "connect" or name == "dns" then
    violations.raise("socket.%s may wait", name)
  end
  local value = socket[name]
  if name == "tcp" or name == "tcp4" or name == "udp" or name == "udp4" then return maker(value) end
  return value
end })

return nonblocking
