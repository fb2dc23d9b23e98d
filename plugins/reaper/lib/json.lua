-- JSON, as RFC 8259 has it. Long texts are read in slices: `decode` calls `pause` now and then.

local json = {}

local MAX_DEPTH = 200
local VALUES_BETWEEN_PAUSES = 64

--- Stands for null: a table cannot hold nil.
json.null = setmetatable({}, { __tostring = function() return "null" end })

local ARRAY = { __name = "JSON array" }

--- Mark a table as an array, which matters where it is empty.
function json.array(values) return setmetatable(values or {}, ARRAY) end

-- ---- writing --------------------------------------------------------------------------------------------------------

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quoted(text)
  return '"' .. text:gsub('[%c"\\\127]', function(c) return ESCAPES[c] or ("\\u%04x"):format(c:byte()) end) .. '"'
end

local function number_text(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value or value == math.huge or value == -math.huge then
    error("a JSON number has to be finite", 0)
  end
  -- The host may have set a locale that writes decimal commas.
  return (("%.17g"):format(value):gsub(",", "."))
end

local write

local function write_table(value, out, depth)
  if #out % (4 * VALUES_BETWEEN_PAUSES) < 8 then out.pause() end
  if getmetatable(value) == ARRAY or value[1] ~= nil then
    out[#out + 1] = "["
    for i = 1, #value do
      if i > 1 then out[#out + 1] = "," end
      write(value[i], out, depth + 1)
    end
    out[#out + 1] = "]"
    return
  end
  local keys = {}
  for key in pairs(value) do
    if type(key) ~= "string" then error("a JSON object's keys are strings", 0) end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  out[#out + 1] = "{"
  for i, key in ipairs(keys) do
    if i > 1 then out[#out + 1] = "," end
    out[#out + 1] = quoted(key) .. ":"
    write(value[key], out, depth + 1)
  end
  out[#out + 1] = "}"
end

function write(value, out, depth)
  if depth > MAX_DEPTH then error("the value is nested too deeply for JSON", 0) end
  local kind = type(value)
  if value == json.null then
    out[#out + 1] = "null"
  elseif kind == "table" then
    write_table(value, out, depth)
  elseif kind == "string" then
    out[#out + 1] = quoted(value)
  elseif kind == "number" then
    out[#out + 1] = number_text(value)
  elseif kind == "boolean" then
    out[#out + 1] = tostring(value)
  else
    error("JSON has no " .. kind, 0)
  end
end

--- A value as JSON text. Keys are sorted, so that equal values give equal texts.
-- @param pause called now and then, so that large values do not hold up the host
function json.encode(value, pause)
  local out = { pause = pause or function() end }
  write(value, out, 1)
  return table.concat(out)
end

-- ---- reading --------------------------------------------------------------------------------------------------------

local UNESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function fail(position, what) error(("this is not JSON: %s at byte %d"):format(what, position), 0) end

local function unicode_escape(text, position)
  local code = tonumber(text:match("^%x%x%x%x", position + 2) or fail(position, "a broken \\u"), 16)
  if code < 0xD800 or code > 0xDFFF then return utf8.char(code), position + 6 end
  local low = code < 0xDC00 and tonumber(text:match("^\\u(%x%x%x%x)", position + 6) or "", 16)
  if not low or low < 0xDC00 or low > 0xDFFF then return "\u{FFFD}", position + 6 end
  return utf8.char(0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00)), position + 12
end

local function read_string(text, position)
  local stop = text:find('["\\%c]', position + 1)
  if stop and text:byte(stop) == 34 then return text:sub(position + 1, stop - 1), stop + 1 end -- nothing escaped
  local parts, from = {}, position + 1
  while stop do
    parts[#parts + 1] = text:sub(from, stop - 1)
    local byte = text:byte(stop)
    if byte == 34 then return table.concat(parts), stop + 1 end
    if byte == 127 then
      parts[#parts + 1], from = "\127", stop + 1
    elseif byte ~= 92 then
      fail(stop, "a control character in a string")
    elseif text:sub(stop + 1, stop + 1) == "u" then
      parts[#parts + 1], from = unicode_escape(text, stop)
    else
      parts[#parts + 1] = UNESCAPES[text:sub(stop + 1, stop + 1)] or fail(stop, "an unknown escape")
      from = stop + 2
    end
    stop = text:find('["\\%c]', from)
  end
  return fail(position, "a string without an end")
end

local LITERALS = { t = { "true", true }, f = { "false", false }, n = { "null", json.null } }

local function read_literal(text, position)
  local literal = LITERALS[text:sub(position, position)]
  if not literal or text:sub(position, position + #literal[1] - 1) ~= literal[1] then
    fail(position, position > #text and "the end comes too early" or "an unexpected character")
  end
  return literal[2], position + #literal[1]
end

local function read_number(text, position)
  local _, last = text:find("^-?%d+%.?%d*[eE]?[+-]?%d*", position)
  local digits = text:sub(position, last or position)
  local value = last and tonumber(digits)
  if not value or digits:match("^-?0%d") or digits:match("%.$") or digits:match("%.[eE]") then
    fail(position, "a broken number")
  end
  return value, last + 1
end

local Reader = {}
Reader.__index = Reader

function Reader:skip(position) return self.text:find("[^ \t\r\n]", position) or #self.text + 1 end

function Reader:array(position, depth)
  local text, values = self.text, json.array()
  position = self:skip(position + 1)
  if text:byte(position) == 93 then return values, position + 1 end
  while true do
    values[#values + 1], position = self:value(position, depth)
    position = self:skip(position)
    local byte = text:byte(position)
    if byte == 93 then return values, position + 1 end
    if byte ~= 44 then fail(position, "an array without , or ]") end
    position = self:skip(position + 1)
  end
end

function Reader:object(position, depth)
  local text, values = self.text, {}
  position = self:skip(position + 1)
  if text:byte(position) == 125 then return values, position + 1 end
  while true do
    if text:byte(position) ~= 34 then fail(position, "a key that is not a string") end
    local key
    key, position = read_string(text, position)
    position = self:skip(position)
    if text:byte(position) ~= 58 then fail(position, "a key without :") end
    values[key], position = self:value(self:skip(position + 1), depth)
    position = self:skip(position)
    local byte = text:byte(position)
    if byte == 125 then return values, position + 1 end
    if byte ~= 44 then fail(position, "an object without , or }") end
    position = self:skip(position + 1)
  end
end

function Reader:value(position, depth)
  if depth > MAX_DEPTH then fail(position, "it is nested too deeply") end
  self.read = self.read + 1
  if self.read % VALUES_BETWEEN_PAUSES == 0 then self.pause() end
  local byte = self.text:byte(position)
  if byte == 34 then return read_string(self.text, position) end
  if byte == 123 then return self:object(position, depth + 1) end
  if byte == 91 then return self:array(position, depth + 1) end
  if byte == 45 or (byte and byte >= 48 and byte <= 57) then return read_number(self.text, position) end
  return read_literal(self.text, position)
end

--- The value of a JSON text; null becomes `json.null`, arrays keep their mark.
-- Raises a sentence where the text is not JSON.
-- @param pause called now and then, so that long texts do not hold up the host
function json.decode(text, pause)
  local reader = setmetatable({ text = text, read = 0, pause = pause or function() end }, Reader)
  local value, position = reader:value(reader:skip(1), 1)
  position = reader:skip(position)
  if position <= #text then fail(position, "something after its end") end
  return value
end

--- What a field holds; nil where it is null or missing.
function json.field(object, name)
  local value = type(object) == "table" and object[name] or nil
  if value == json.null then return nil end
  return value
end

return json
