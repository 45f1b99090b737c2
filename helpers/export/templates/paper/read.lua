-- What the Markdown of a notebook means in a paper: its labels, its panels, its tables from HTML.

-- `# Title` is the paper's title, `##` a section; `@sec:fine-tuning` refers to the one headed "Fine-tuning".
function Header(heading)
  if heading.level == 1 then return {} end
  heading.level = heading.level - 1
  if not heading.identifier:match("^sec:") then heading.identifier = "sec:" .. heading.identifier end
  return heading
end

-- A number stays with its interval and its unit: 85.1 ± 0.4 %.
local function keep_together(inlines)
  for number = 2, #inlines - 1 do
    local before, after = inlines[number - 1].text or "", inlines[number + 1].text or ""
    if inlines[number].t == "Space" and (before == "±" or after == "±" or after:match("^%%")) then
      inlines[number] = pandoc.Str("\u{a0}")
    end
  end
end

-- $$ … $$ {#eq:name}
function Inlines(inlines)
  keep_together(inlines)
  for number = #inlines, 2, -1 do
    local label, rest = (inlines[number].text or ""):match("^{#(eq:[%w_-]+)}(.*)$")
    local space = inlines[number - 1].t == "Space" or inlines[number - 1].t == "SoftBreak"
    local formula = inlines[number - (space and 2 or 1)]
    if label and formula and formula.t == "Math" and formula.mathtype == "DisplayMath" then
      inlines[number] = pandoc.Str(rest)
      if space then inlines:remove(number - 1) end
      inlines[number - (space and 2 or 1)] = pandoc.Span({ formula }, { id = label })
    end
  end
  return inlines
end

-- pandoc takes what follows `@fig:name` in brackets as part of it: `[@key]` as one more citation, `[left]` as a page.
function Cite(cite)
  local first = cite.citations[1]
  local kind = first.id:match("^(%a+):")
  if first.mode ~= "AuthorInText" or not pandoc.List({ "fig", "tab", "sec", "eq" }):includes(kind) then return nil end
  local rest = pandoc.Inlines({})
  if #first.suffix > 0 then
    rest = pandoc.Inlines({ pandoc.Space(), pandoc.Str("[") }) .. first.suffix .. { pandoc.Str("]") }
    first.suffix = {}
  elseif #cite.citations > 1 then
    cite.citations:remove(1)
    rest = pandoc.Inlines({ pandoc.Space(), pandoc.Cite({}, cite.citations) })
  end
  return pandoc.Inlines({ pandoc.Cite({}, { first }) }) .. rest
end

-- ::: {#fig:name}
-- One picture, or several side by side, and below them a paragraph: the caption.
-- :::
function Div(div)
  if not div.identifier:match("^fig:") then return nil end
  local panels = pandoc.Inlines({})
  local caption = pandoc.Blocks({})
  for _, block in ipairs(div.content) do
    local before = #panels
    block:walk({
      Image = function(image)
        if #panels > 0 then panels:insert(pandoc.Space()) end
        panels:insert(image)
      end,
    })
    if #panels == before then caption:insert(block) end
  end
  return pandoc.Figure({ pandoc.Plain(panels) }, caption, { id = div.identifier })
end

function Table(table)
  for _, column in ipairs(table.colspecs) do
    column[2] = nil -- as wide as its content, however long a line its source has
    if column[1] == "AlignDefault" then column[1] = "AlignLeft" end
  end
  return table
end

function RawBlock(raw)
  if raw.format == "html" then return pandoc.read(raw.text, "html").blocks:walk({ Table = Table }) end
end

-- Anchors of a page on the screen lead nowhere on paper.
function Link(link)
  if link.target:match("^#") then return link.content end
end
