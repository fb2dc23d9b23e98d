-- Files and their names, on every system.

local slices = require("scorebridge.slices")

local files = {}

local COPY_BYTES = 1 << 18
local NAME_BYTES = 120

files.separator = package.config:sub(1, 1)
files.on_windows = files.separator == "\\"

--- A path of parts.
function files.join(...)
  local parts = { ... }
  local path = parts[1]
  for i = 2, #parts do
    if not path:match("[/\\]$") then path = path .. files.separator end
    path = path .. parts[i]
  end
  return path
end

--- A path's last part.
function files.name(path) return path:match("([^/\\]*)$") end

--- A path's folder without its last separator; of "/a" it is "/".
function files.folder(path)
  local folder = path:match("^(.*)[/\\][^/\\]*$")
  if folder == "" then return path:sub(1, 1) end
  return folder
end

--- A file name without folders and ending.
function files.stem(path)
  local name = files.name(path)
  return name:match("^(.+)%.[^.]*$") or name
end

--- A file name's ending in lower case, without the dot.
function files.ending(path) return (files.name(path):match("%.([^.]+)$") or ""):lower() end

--- Whether a file is there and can be read.
function files.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- A file's content, or nil and a sentence.
function files.read(path)
  local file, problem = io.open(path, "rb")
  if not file then return nil, problem end
  local content = file:read("a")
  file:close()
  if not content then return nil, path .. " could not be read." end -- a folder, on some systems
  return content
end

local function replace(temporary, path)
  local done, problem = os.rename(temporary, path)
  if not done and files.on_windows then -- does not rename onto a file that exists
    os.remove(path)
    done, problem = os.rename(temporary, path)
  end
  if done then return true end
  os.remove(temporary)
  return nil, problem
end

--- Write a file under a temporary name and rename it, so that nobody reads half of it. True, or nil and a sentence.
function files.write(path, content)
  local temporary = path .. ".part"
  local file, problem = io.open(temporary, "wb")
  if not file then return nil, problem end
  local written, why = file:write(content)
  local closed = file:close() -- a full disk may show here only
  if not (written and closed) then
    os.remove(temporary)
    return nil, why or (path .. " could not be written: is the disk full?")
  end
  return replace(temporary, path)
end

--- Copy a file in slices, under a temporary name. True, or nil and a sentence.
function files.copy(from, to)
  local source, problem = io.open(from, "rb")
  if not source then return nil, problem end
  local temporary = to .. ".part"
  local target, why = io.open(temporary, "wb")
  if not target then
    source:close()
    return nil, why
  end
  local good = true
  for block in function() return source:read(COPY_BYTES) end do
    good = good and target:write(block)
    slices.pause()
  end
  source:close()
  if not (target:close() and good) then
    os.remove(temporary)
    return nil, to .. " could not be written: is the disk full?"
  end
  return replace(temporary, to)
end

local RESERVED = { con = true, prn = true, aux = true, nul = true }

--- A text as a file name that every system takes: short enough, and no character of it forbidden anywhere.
function files.safe_name(text, otherwise)
  local name = text:gsub('[%c<>:"/\\|?*\127]', "-"):gsub("^[%s.]+", "")
  if not utf8.len(name) then name = name:gsub("[\128-\255]", "-") end
  if #name > NAME_BYTES then
    local cut = NAME_BYTES
    while cut > 0 and name:byte(cut + 1) & 0xC0 == 0x80 do cut = cut - 1 end -- not in the middle of a character
    name = name:sub(1, cut)
  end
  name = name:gsub("[%s.]+$", "")
  local base = name:lower():match("^[^.]*")
  if RESERVED[base] or base:match("^com%d$") or base:match("^lpt%d$") then name = "-" .. name end
  return name ~= "" and name or otherwise
end

local given = {} -- paths that were chosen and may not be written yet

--- A path in `folder` that no file has yet and that nobody was given: "name.wav", "name 2.wav", …
function files.free_path(folder, stem, ending)
  local path = files.join(folder, stem .. "." .. ending)
  local count = 1
  while given[path] or files.exists(path) do
    count = count + 1
    path = files.join(folder, ("%s %d.%s"):format(stem, count, ending))
  end
  given[path] = true
  return path
end

--- Make a folder and those above it. True, or nil and a sentence.
function files.make_folder(path)
  reaper.RecursiveCreateDirectory(path, 0)
  local probe = files.join(path, ".scorebridge-probe")
  local file, problem = io.open(probe, "wb") -- what RecursiveCreateDirectory returns is not documented
  if not file then return nil, problem end
  file:close()
  os.remove(probe)
  return true
end

return files
