-- Starting a program in the background, whatever characters its path and arguments hold.

local files = require("scorebridge.files")

local command = {}

local NO_WAIT = -1
local NO_WAIT_AND_NO_WINDOW = -2

--- A word as `sh` reads it: inside single quotes nothing is special.
function command.sh_word(word) return "'" .. word:gsub("'", [['\'']]) .. "'" end

--- A word as Windows programs split their command line (CommandLineToArgvW): backslashes count only before a quote.
function command.windows_word(word)
  if word ~= "" and not word:find('[%s"]') then return word end
  word = word:gsub('(\\*)"', function(slashes) return slashes .. slashes .. '\\"' end)
  word = word:gsub("(\\+)$", function(slashes) return slashes .. slashes end)
  return '"' .. word .. '"'
end

local function line_of(words, quote)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = quote(word) end
  return table.concat(quoted, " ")
end

--- A command line for `sh`.
function command.sh_line(words) return line_of(words, command.sh_word) end

--- A command line for Windows' CreateProcess.
function command.windows_line(words) return line_of(words, command.windows_word) end

local function sh_script(words, log, failure)
  local redirected = log and (" >" .. command.sh_word(log) .. " 2>&1") or " >/dev/null 2>&1"
  local told = failure and (" || echo $? >" .. command.sh_word(failure)) or ""
  return 'rm -f -- "$0"\n' .. command.sh_line(words) .. " </dev/null" .. redirected .. told .. "\n"
end

--- Start a program and do not wait for it.
-- On Linux and macOS its words go into a small script under a name that Lua chooses in /tmp: how REAPER splits a
-- command line does not matter then, and a log can be kept.
-- @param words program and arguments
-- @param log file for what it says, or nil (not on Windows)
-- @param failure file that is written where it ends badly, or nil (not on Windows)
-- @return true, or nil and a sentence
function command.start(words, log, failure)
  if files.on_windows then
    if reaper.ExecProcess(command.windows_line(words), NO_WAIT_AND_NO_WINDOW) then return true end
    return nil, words[1] .. " could not be started."
  end
  local script = os.tmpname() -- made for us alone, and its name has no special character
  local file, problem = io.open(script, "wb")
  if not file then return nil, problem end
  file:write(sh_script(words, log, failure))
  file:close()
  if reaper.ExecProcess("/bin/sh " .. script, NO_WAIT) then return true end
  os.remove(script)
  return nil, words[1] .. " could not be started."
end

--- Open a file with a program, or with the system's own choice. True, or nil and a sentence.
function command.open(path, program)
  if program and program ~= "" then return command.start({ program, path }) end
  if files.on_windows then return command.start({ "explorer.exe", path }) end
  local on_mac = reaper.GetOS():match("OSX") or reaper.GetOS():match("macOS")
  if on_mac then return command.start({ "/usr/bin/open", path }) end
  return command.start({ "xdg-open", path })
end

return command
