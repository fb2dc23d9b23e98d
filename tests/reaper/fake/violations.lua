-- What a script did that REAPER would not stand. A script may swallow the error that is raised; the record stays.

local violations = { list = {} }

--- Record a violation and raise it.
function violations.raise(message, ...)
  local sentence = message:format(...)
  violations.list[#violations.list + 1] = sentence
  error("REAPER: " .. sentence, 0)
end

--- Record a violation that nobody can catch.
function violations.note(message, ...) violations.list[#violations.list + 1] = message:format(...) end

return violations
