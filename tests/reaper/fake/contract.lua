-- REAPER's functions as Cockos's API help describes them, for exactly what the scripts use: what goes in, what comes
-- out. The fake refuses anything else; luacheck's configuration reads this table too.
--
--   Name = "argument, argument, optional? -> return, may_be_nil?"
--
-- project: a ReaProject, or 0 for the project whose tab is in front. item, take, track, source, accessor, envelope:
-- handles. integer: a number without a fraction. Numbers are finite.

local contract = {}

contract.reaper = {
  -- projects
  EnumProjects = "integer -> project?, string?",
  GetCursorPositionEx = "project -> number",
  GetPlayStateEx = "project -> integer",
  GetPlayPosition2Ex = "project -> number",
  Master_GetPlayRate = "project -> number",
  GetProjectPathEx = "project -> string",
  GetProjectStateChangeCount = "project -> integer",
  ValidatePtr2 = "project, any, string -> boolean",
  UpdateArrange = " -> ",
  PreventUIRefresh = "integer -> ",
  Undo_BeginBlock2 = "project -> ",
  Undo_EndBlock2 = "project, string, integer -> ",
  Undo_DoUndo2 = "project -> integer",
  Undo_CanUndo2 = "project -> string?",

  -- tracks
  CountTracks = "project -> integer",
  GetSelectedTrack = "project, integer -> track?",
  GetTrack = "project, integer -> track?",
  GetTrackGUID = "track -> string",
  GetTrackName = "track -> boolean, string",
  InsertTrackInProject = "project, integer, integer -> ",
  GetMediaTrackInfo_Value = "track, string -> number",
  GetSetMediaTrackInfo_String = "track, string, string, boolean -> boolean, string",

  -- items and takes
  CountSelectedMediaItems = "project -> integer",
  GetSelectedMediaItem = "project, integer -> item?",
  GetMediaItemInfo_Value = "item, string -> number",
  SetMediaItemInfo_Value = "item, string, number -> boolean",
  GetMediaItem_Track = "item -> track",
  AddMediaItemToTrack = "track -> item",
  GetActiveTake = "item -> take?",
  SetActiveTake = "take -> ",
  AddTakeToMediaItem = "item -> take",
  GetMediaItemTakeByGUID = "project, string -> take?",
  GetMediaItemTake_Item = "take -> item?",
  GetMediaItemTake_Source = "take -> source?",
  SetMediaItemTake_Source = "take, source -> boolean",
  GetMediaItemTakeInfo_Value = "take, string -> number",
  GetSetMediaItemTakeInfo_String = "take, string, string, boolean -> boolean, string",
  GetTakeName = "take -> string",
  TakeIsMIDI = "take -> boolean",
  TakeFX_GetCount = "take -> integer",
  GetTakeNumStretchMarkers = "take -> integer",
  GetTakeEnvelopeByName = "take, string -> envelope?",
  CountEnvelopePoints = "envelope -> integer",

  -- media
  GetMediaSourceParent = "source -> source?",
  GetMediaSourceLength = "source -> number, boolean",
  GetMediaSourceFileName = "source -> string",
  GetMediaSourceType = "source -> string",
  GetMediaSourceSampleRate = "source -> integer",
  GetMediaSourceNumChannels = "source -> integer",
  PCM_Source_GetSectionInfo = "source -> boolean, number, number, boolean",
  PCM_Source_CreateFromFile = "string -> source?",
  PCM_Source_CreateFromType = "string -> source?",
  CreateTakeAudioAccessor = "take -> accessor",
  DestroyAudioAccessor = "accessor -> ",
  GetAudioAccessorStartTime = "accessor -> number",
  GetAudioAccessorSamples = "accessor, integer, integer, number, integer, array -> integer",
  new_array = "integer -> array",

  -- MIDI
  CreateNewMIDIItemInProj = "track, number, number, boolean? -> item",
  MIDI_GetPPQPosFromProjTime = "take, number -> number",
  MIDI_GetProjTimeFromPPQPos = "take, number -> number",
  MIDI_GetPPQPosFromProjQN = "take, number -> number",
  MIDI_GetProjQNFromPPQPos = "take, number -> number",
  MIDI_Sort = "take -> ",
  MIDI_GetAllEvts = "take -> boolean, string",
  MIDI_SetAllEvts = "take, string -> boolean",

  -- tempo
  CountTempoTimeSigMarkers = "project -> integer",
  GetTempoTimeSigMarker = "project, integer -> boolean, number, integer, number, number, integer, integer, boolean",
  TimeMap2_timeToQN = "project, number -> number",
  TimeMap2_QNToTime = "project, number -> number",
  TimeMap_QNToMeasures = "project, number -> integer, number?, number?",
  TimeMap_GetTimeSigAtTime = "project, number -> integer, integer, number",
  GetSetProjectGrid = "project, boolean, number?, integer?, number? -> integer, number?, integer?, number?",

  -- the program
  ExecProcess = "string, integer -> string?",
  defer = "function -> boolean",
  atexit = "function -> boolean",
  get_action_context = " -> boolean, string, integer, integer, integer, integer, number, string",
  set_action_options = "integer -> ",
  GetExtState = "string, string -> string",
  SetExtState = "string, string, string, boolean -> ",
  HasExtState = "string, string -> boolean",
  DeleteExtState = "string, string, boolean -> ",
  GetResourcePath = " -> string",
  GetAppVersion = " -> string",
  GetOS = " -> string",
  time_precise = " -> number",
  RecursiveCreateDirectory = "string, integer -> integer",
  EnumerateFiles = "string, integer -> string?",
  GetUserInputs = "string, integer, string, string -> boolean, string",
  GetUserFileNameForRead = "string, string, string -> boolean, string",
  ShowConsoleMsg = "string -> ",
  NamedCommandLookup = "string -> integer",
  MB = "string, string, integer -> integer",
  Main_OnCommandEx = "integer, integer, project -> ",
  genGuid = "string -> string",
  ReverseNamedCommandLookup = "integer -> string?",
}

contract.gfx = {
  init = "string, number?, number?, number?, number?, number? -> number",
  quit = " -> ",
  update = " -> ",
  getchar = "number? -> number",
  set = "number, number?, number?, number?, number?, number? -> ",
  rect = "number, number, number, number, number? -> ",
  drawstr = "string, number?, number?, number? -> ",
  measurestr = "string -> number, number",
  setfont = "number, string?, number?, number? -> ",
  showmenu = "string -> number",
}

-- Variables of gfx; true: a script may write it.
contract.gfx_variables = {
  x = true, y = true, ext_retina = true, mouse_wheel = true, w = false, h = false, mouse_x = false, mouse_y = false,
  mouse_cap = false,
}

-- Methods of what new_array returns.
contract.array = { table = true, clear = true }

-- Numbers that the …Info_Value functions know; true: a script may set it.
contract.item_values = {
  D_POSITION = true, D_LENGTH = true, B_LOOPSRC = true, B_MUTE = true, C_LOCK = true,
}
contract.take_values = { D_STARTOFFS = true, D_PLAYRATE = true, D_PITCH = true, B_PPITCH = true, I_CHANMODE = true }
contract.track_values = { IP_TRACKNUMBER = false }

-- Texts that the GetSet…Info_String functions know; true: a script may set it.
contract.take_texts = { P_NAME = true, GUID = false }
contract.track_texts = { P_NAME = true, GUID = false }

local function types_of(list)
  local types, least = {}, 0
  for word in list:gmatch("[^,%s]+") do
    local name, optional = word:match("^(%a+)(%??)$")
    assert(name, "the contract cannot be read: " .. list)
    types[#types + 1] = { name = name, optional = optional ~= "" }
    if optional == "" then least = #types end
  end
  return types, least
end

--- A signature as a table: `arguments` and `returns` (each of `name`, `optional`), `least`, `most`.
function contract.parsed(signature)
  local before, after = signature:match("^(.-)%->(.*)$")
  local arguments, least = types_of(before)
  return { arguments = arguments, least = least, most = #arguments, returns = (types_of(after)) }
end

return contract
