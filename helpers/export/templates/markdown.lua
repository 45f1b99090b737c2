-- Reads a JSON object with a list of Markdown texts, writes the JSON list of the same texts as HTML with MathML.
-- One process for a whole notebook: pandoc takes longer to start than to convert.

local input = pandoc.json.decode(io.read("a"))

local parts = pandoc.Blocks({})
for _, text in ipairs(input.texts) do
  -- Without a line's end, pandoc does not see a table's last row.
  -- In columns without end, no table is given widths because its lines are long.
  parts:insert(pandoc.Div(pandoc.read(text .. "\n", input.format, { columns = 100000 }).blocks))
end
local document = pandoc.Pandoc(parts, { bibliography = input.bibliography, ["suppress-bibliography"] = true })
if input.bibliography then document = pandoc.utils.citeproc(document) end

-- Heading anchors as JupyterLab makes them, so that a link works in both places.
local function anchor_as_in_jupyter(heading)
  heading.identifier = pandoc.utils.stringify(heading.content):gsub(" ", "-")
  return heading
end

-- What MathJax knows and pandoc's MathML does not: macros, in all formulas that follow, labels and tags.
local DEFINITION = "\\(%a+)%*?%s*{?%s*\\%a+%s*}?[%[%]#%d]*%s*%b{}"
local macros = ""

local function formula_as_in_jupyter(formula)
  local text = formula.text:gsub("()" .. DEFINITION .. "()", function(first, name, last)
    if name ~= "def" and name ~= "DeclareMathOperator" and not name:match("command$") then return nil end
    macros = macros .. formula.text:sub(first, last - 1) .. "\n"
    return ""
  end)
  text = text:gsub("([^\\])%%[^\n]*", "%1") -- a comment, to MathJax as well
  if not text:match("%S") then return {} end
  text = text:gsub("\\label%s*%b{}", ""):gsub("\\tag%*?%s*{(.-)}", "\\qquad (%1)")
  formula.text = pandoc.read(macros .. "$" .. text .. "$", "latex").blocks[1].content[1].text
  return formula
end

local OPTIONS = { html_math_method = "mathml", highlight_method = "none", wrap_text = "none" }
local pages = pandoc.List({})
for _, part in ipairs(document:walk({ Header = anchor_as_in_jupyter, Math = formula_as_in_jupyter }).blocks) do
  pages:insert(pandoc.write(pandoc.Pandoc(part.content), "html", OPTIONS))
end
io.write(pandoc.json.encode(pages))
