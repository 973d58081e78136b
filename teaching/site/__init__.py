"""The labs as a site that needs no network: ``make site``.

``build`` puts it together: ``lab_page`` writes a lab, ``frames`` finds what its sliders
show, ``reference`` describes the helpers, and ``page`` sets each page into its frame.
"""
