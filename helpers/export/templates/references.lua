-- A citation of labels as text: the inline that `name` makes of each, with what stands before and after it.
return function(cite, name)
  local inlines = pandoc.Inlines({})
  for place, citation in ipairs(cite.citations) do
    if place > 1 then inlines:extend({ pandoc.Str(","), pandoc.Space() }) end
    inlines:extend(citation.prefix)
    if #citation.prefix > 0 then inlines:insert(pandoc.Space()) end
    inlines:insert(name(citation))
    inlines:extend(citation.suffix)
  end
  return inlines
end
