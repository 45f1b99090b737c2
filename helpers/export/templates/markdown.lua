-- Reads a JSON object with a list of Markdown texts, writes the JSON list of the same texts as HTML with MathML.
-- One process for a whole notebook: pandoc takes longer to start than to convert.

local input = pandoc.json.decode(io.read("a"))

-- The labels of a paper, `{#fig:curves}`: what each is called, and where a reference leads.
local NAMES = { fig = "Figure", tab = "Table", eq = "Equation" }
local labels, counts, left_out = {}, {}, false

local function number(label)
  local kind = label:match("^(%a+):")
  if left_out or labels[label] or not NAMES[kind] then return nil end
  counts[kind] = (counts[kind] or 0) + 1
  local called = kind == "eq" and ("(%d)"):format(counts[kind]) or tostring(counts[kind])
  labels[label] = { bare = called, full = NAMES[kind] .. " " .. called, target = kind ~= "eq" and "#" .. label }
  return labels[label]
end

-- Numbers the last of the blocks, a caption.
local function captioned(label, blocks)
  local called, caption = number(label), blocks[#blocks]
  if called and caption then
    caption.content:insert(1, pandoc.Span(pandoc.Strong(called.full .. "."), { id = label }))
    caption.content:insert(2, pandoc.Space())
  end
  return blocks:map(function(block) return block.t == "Plain" and pandoc.Para(block.content) or block end)
end

local labelled = {}

function labelled.Header(heading)
  if left_out then return nil end
  local title = pandoc.utils.stringify(heading.content)
  local called, label = "“" .. title .. "”", heading.identifier:gsub("^sec:", "")
  labels["sec:" .. label] = { bare = called, full = "Section " .. called, target = "#" .. title:gsub(" ", "-") }
end

function labelled.Div(div)
  if div.identifier:match("^fig:") then return captioned(div.identifier, div.content) end
end

function labelled.Figure(figure)
  return captioned(figure.identifier, figure.content .. figure.caption.long)
end

function labelled.Table(table)
  local caption = captioned(table.identifier, table.caption.long)
  table.caption, table.identifier = {}, ""
  return pandoc.Blocks({ table }) .. caption
end

function labelled.Span(span)
  local called, formula = number(span.identifier), span.content[1]
  if not called then return nil end
  formula.text = formula.text .. " \\qquad " .. called.bare
  return formula
end

-- `@fig:name` is "Figure 1", `[-@fig:name]` is "1"; what leads nowhere stays as it is written.
local function resolved(document)
  local works = {}
  for _, work in ipairs(pandoc.utils.references(document)) do works[work.id] = true end
  local function resolve(cite)
    local citation = cite.citations[1]
    local goal = labels[citation.id]
    if goal and #cite.citations == 1 and #citation.prefix + #citation.suffix == 0 then
      local text = citation.mode == "SuppressAuthor" and goal.bare or goal.full
      return goal.target and pandoc.Link(text, goal.target) or pandoc.Str(text)
    end
    for _, work in ipairs(cite.citations) do
      if not works[work.id] then return cite.content end
    end
  end
  return pandoc.utils.citeproc(document:walk({ Cite = resolve }))
end

local parts = pandoc.Blocks({})
for place, text in ipairs(input.texts) do
  -- Without a line's end, pandoc does not see a table's last row.
  -- In columns without end, no table is given widths because its lines are long.
  local part = pandoc.Div(pandoc.read(text .. "\n", input.format, { columns = 100000 }).blocks)
  left_out = input.left_out and input.left_out[place]
  parts:insert(input.left_out and part:walk(labelled) or part)
end
local document = pandoc.Pandoc(parts, { bibliography = input.bibliography, ["suppress-bibliography"] = true })
if input.left_out then document = resolved(document) end

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
