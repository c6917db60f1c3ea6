
dns-timeoutsA
webeu-west1"web-1*web-92 role=web,env!=test,k in (a,b),!xq
*53
%80"10.0.0.0/24;10.0.8.1-10.0.8.9greater 100 and not multicast€ €€€ú(„0 :€€€Beth0HP"$
whyanaINC-1 €¶ÖÙ*
teamnet